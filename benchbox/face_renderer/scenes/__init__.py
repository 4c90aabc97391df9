"""Who stands where before which camera.

Portraits, videos, phones, camera rigs and what eyes look at.
"""
