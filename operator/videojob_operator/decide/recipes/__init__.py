"""Which stages a kind of work has, in which order, and how they are grouped into Jobs. One recipe a file, one row here."""
