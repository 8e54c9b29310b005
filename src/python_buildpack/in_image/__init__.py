"""Programs that are copied into the image, where they run alone."""
