"""Who stands where before which camera: portraits, videos, phones, camera rigs and what eyes look at."""
