"""What is computed from pixels: quality, segmentation, crops, classes, explanation. No messages and no storage."""
