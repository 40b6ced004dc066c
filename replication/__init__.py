"""What changed, who must hear of it, and which version wins."""
