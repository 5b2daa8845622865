"""Which events a list is asked for: parameters of its address, the filters that offer them, the choice in words."""
