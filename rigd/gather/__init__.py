"""From the records of all cars in the ring to the columns of one car's lap."""
