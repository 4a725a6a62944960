"""The XVM relayer: watches gateways, attests what became final, and brings results home."""
