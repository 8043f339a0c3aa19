"""How much may be carried home: policies (data), assessments and decisions."""
