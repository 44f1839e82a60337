"""Score the steps of reasoning traces by the gradients of your own model."""
