"""What the numbers of a car show by themselves: units, clocks, lines, ways, places on earth."""
