"""Look into a packed corpus: statistics, agreement of annotators, partition by subject, contact sheet."""
