"""A folder in the competition's layout, read, checked and stored, and its batches."""
