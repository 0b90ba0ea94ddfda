"""Other gateways under the same faults: how each is started and configured."""
