"""What the stages ask of the world, as Protocols only. Adapters stand behind them; this package imports none."""
