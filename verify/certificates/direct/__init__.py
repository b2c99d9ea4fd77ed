"""sup |f − g| over the inputs of all lengths at once, by branch and bound over shares and 1/T."""
