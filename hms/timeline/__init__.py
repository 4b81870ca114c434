"""The predictions for a recording over time, as tables, annotations and a page."""
