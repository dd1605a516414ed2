"""The report of one scored split: its numbers, tables, plots, page and files."""
