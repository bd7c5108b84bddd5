"""What a question is answered from: captions chosen within the window of the model."""
