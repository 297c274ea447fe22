"""What a line may apply, one declaration each, by family."""
