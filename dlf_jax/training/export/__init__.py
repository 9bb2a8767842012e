"""Export of a checkpoint as a model directory."""
