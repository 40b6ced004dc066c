"""What every part of rs3gw may use: clocks, identifiers, environment, signing. No models."""
