"""The duty desk: the pages on which officers of a State see what they are asked, and rule."""
