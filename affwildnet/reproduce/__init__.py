"""A paper's table by one command: `python -m affwildnet.reproduce`.

starting_weights   what a row starts from, and what must be given for it
row_jobs           what has to be run for a table, in which order, as command lines
job_runs           the processes of one row, and how far they are
schedule           several rows at once, one a pair of GPUs; goes on where it was killed
progress_lines     a line for each row while they run
row_results        the reports of the rows beside the published ones
row_order          whether the paper's order of the rows holds
table_files        table.html, table.md, table.csv, table.json
paper_figures      figures of the papers, from the runs
"""
