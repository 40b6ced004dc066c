"""REST API of regions, rules, lanes, deliveries and events."""
