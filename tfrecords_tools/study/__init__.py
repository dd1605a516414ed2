"""What is in a packed corpus: statistics, agreement of raters, partition by subject, contact sheet."""
