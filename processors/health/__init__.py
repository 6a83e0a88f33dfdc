"""What a worker shows of itself: counts, standing, and the pages that serve them."""
