"""A paper's table by one command: `python -m affwildnet.reproduce`.

starting_weights   what a row starts from, and what must be given for it
table_request      what a user asks for, and the runs and reports that it comes to
row_jobs           what has to be run for a table, in which order, as command lines
job_runs           the processes of one row, and how far they are
gpu_pairs          pairs of GPUs, and how a process is kept to one
command_listing    the commands for a shell, which --dry_run prints
schedule           several rows at once, one a pair of GPUs; goes on where it was killed
progress_lines     a line for each row while they run
row_reports        a row's report and predictions, read
row_results        the reports of the rows beside the published ones
row_order          whether the paper's order of the rows holds
table_files        table.html, table.md, table.csv, table.json
wanted_figures     which of the papers' figures are drawn
paper_figures      and drawing them, from the runs
"""
