"""The live view on a terminal: lines, gauges, panels, the screen and the keyboard."""
