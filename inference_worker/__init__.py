"""The GPU side: finds skin and lesion in a photo and says what it may be. Knows no HTTP, no ORM, no Django."""
