"""A graded run in the shared schema of Every Eval Ever, version 0.3.0, for its datastore.

docs/every-eval-ever.md says what stands where.
"""
