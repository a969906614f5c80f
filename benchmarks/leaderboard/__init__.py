"""The board's records: accepted submissions, and what the paper reports."""
