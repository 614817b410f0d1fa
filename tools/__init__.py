"""Programs that maintain this repository; no part of the product."""
