"""What watches over the flows: what starts again by itself, and how often. Knows no flow."""
