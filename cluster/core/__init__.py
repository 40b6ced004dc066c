"""Decisions about membership: plain values in, plain values out."""
