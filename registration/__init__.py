"""The same place of skin in two photos: laid over each other, and how much the lesion's area changed, or why not."""
