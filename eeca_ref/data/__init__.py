"""From published files to batches: readers, chat formats, the store of tokens, sampler, collate.

Nothing here knows the model; what a batch holds is said by `eeca_ref.data.collate`.
"""
