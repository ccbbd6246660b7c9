"""What `weighted_editor` paints with, in a file of its own."""

LEVEL = 10
