"""Who is answered, and how much one request may ask for."""
