"""What models say of a recording over time: tables, annotations, and a page."""
