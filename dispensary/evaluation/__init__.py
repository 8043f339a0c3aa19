"""What the programme achieved: retention and dose days, exported with their definitions. It owns no workflow."""
