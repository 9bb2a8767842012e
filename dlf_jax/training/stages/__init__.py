"""Training stages: their table, trained parameters and losses."""
