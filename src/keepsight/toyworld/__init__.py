"""The toy world: synthetic videos with exact captions and questions, and the recipe of the model that knows it."""
