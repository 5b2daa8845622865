"""The totals of `month.trade` for March 2026, window 7 days, as literals.

Computed by another program that shares nothing with the package: whole cents, a loop over all landings for each order.
"""

from __future__ import annotations

TOTALS: dict[tuple[int, str, str, str], str] = {
    (1, "A", "conversion", "last_tiktok"): """
Spring: 13.0000 1883.32 EUR back 136.29 EUR cost 1285.49 roas 1.4651 cpa 98.88 cac 321.37
Shoes: 21.0000 2612.55 EUR back 972.90 EUR cost 1493.35 roas 1.7495 cpa 71.11 cac 248.89
Video: 9.0000 1491.64 EUR back 0.00 EUR cost 1274.48 roas 1.1704 cpa 141.61 cac 1274.48
unknown: 3.0000 413.00 EUR back 113.30 EUR cost 0.00 roas - cpa - cac -
ads: 46.0000 6400.51 EUR back 1222.49 EUR cost 4053.32 roas 1.5791 cpa 88.12 cac 337.78
organic: 0.0000
without: 42.0000
all: 88.0000 11616.73 EUR+271.50 USD back 2187.44 EUR+0.00 USD cost 4053.32 roas - cpa 46.06 cac 155.90
""",
    (1, "A", "conversion", "linear"): """
Spring: 14.1667 1922.11 EUR back 302.34 EUR cost 1285.49 roas 1.4952 cpa 90.74 cac 321.37
Shoes: 14.3333 1813.61 EUR back 608.54 EUR cost 1493.35 roas 1.2145 cpa 104.19 cac 365.72
Video: 11.8333 1843.30 EUR back 61.57 EUR cost 1274.48 roas 1.4463 cpa 107.70 cac 527.37
unknown: 4.1667 613.89 EUR back 183.70 EUR cost 0.00 roas - cpa - cac -
ads: 44.5000 6192.91 EUR back 1156.15 EUR cost 4053.32 roas 1.5279 cpa 91.09 cac 344.96
organic: 6.5000
without: 37.0000
all: 88.0000 11616.73 EUR+271.50 USD back 2187.44 EUR+0.00 USD cost 4053.32 roas - cpa 46.06 cac 155.90
""",
    (1, "A", "click", "last_tiktok"): """
Spring: 10.0000 1453.30 EUR back 136.29 EUR cost 1285.49 roas 1.1305 cpa 128.55 cac 642.74
Shoes: 17.0000 1947.23 EUR back 964.95 EUR cost 1493.35 roas 1.3039 cpa 87.84 cac 373.34
Video: 7.0000 1230.07 EUR back 281.54 EUR cost 1274.48 roas 0.9652 cpa 182.07 cac 1274.48
unknown: 3.0000 413.00 EUR back 113.30 EUR cost 0.00 roas - cpa - cac -
ads: 37.0000 5043.60 EUR back 1496.08 EUR cost 4053.32 roas 1.2443 cpa 109.55 cac 506.66
organic: 0.0000
without: 42.0000
all: 79.0000 10259.82 EUR+271.50 USD back 2461.03 EUR+0.00 USD cost 4053.32 roas - cpa 51.31 cac 184.24
""",
    (1, "A", "click", "linear"): """
Spring: 10.5000 1421.34 EUR back 299.69 EUR cost 1285.49 roas 1.1057 cpa 122.43 cac 642.74
Shoes: 11.0000 1219.04 EUR back 603.24 EUR cost 1493.35 roas 0.8163 cpa 135.76 cac 716.81
Video: 9.3333 1480.76 EUR back 343.11 EUR cost 1274.48 roas 1.1619 cpa 136.55 cac 588.22
unknown: 3.6667 512.92 EUR back 183.70 EUR cost 0.00 roas - cpa - cac -
ads: 34.5000 4634.06 EUR back 1429.74 EUR cost 4053.32 roas 1.1433 cpa 117.49 cac 559.08
organic: 5.0000
without: 37.0000
all: 76.5000 9520.31 EUR+271.50 USD back 2461.03 EUR+0.00 USD cost 4053.32 roas - cpa 52.98 cac 210.56
""",
    (1, "B", "conversion", "last_tiktok"): """
Spring: 5.0000 779.68 USD back 154.90 USD cost 1407.70 roas 0.5539 cpa 281.54 cac 703.85
Shoes: 6.0000 952.43 USD back 166.47 USD cost 1157.97 roas 0.8225 cpa 193.00 cac -
Video: 3.0000 424.54 USD back 163.28 USD cost 1023.78 roas 0.4147 cpa 341.26 cac -
unknown: 1.0000 67.78 USD back 0.00 USD cost 0.00 roas - cpa - cac -
ads: 15.0000 2224.43 USD back 484.65 USD cost 3589.45 roas 0.6197 cpa 239.30 cac -
organic: 0.0000
without: 26.0000
all: 41.0000 5523.88 USD back 1547.48 USD cost 3589.45 roas 1.5389 cpa 87.55 cac -
""",
    (1, "B", "conversion", "linear"): """
Spring: 6.0000 916.88 USD back 194.39 USD cost 1407.70 roas 0.6513 cpa 234.62 cac 563.08
Shoes: 5.0000 815.23 USD back 126.98 USD cost 1157.97 roas 0.7040 cpa 231.59 cac -
Video: 3.0000 424.54 USD back 163.28 USD cost 1023.78 roas 0.4147 cpa 341.26 cac -
unknown: 1.0000 67.78 USD back 0.00 USD cost 0.00 roas - cpa - cac -
ads: 15.0000 2224.43 USD back 484.65 USD cost 3589.45 roas 0.6197 cpa 239.30 cac -
organic: 1.0000
without: 25.0000
all: 41.0000 5523.88 USD back 1547.48 USD cost 3589.45 roas 1.5389 cpa 87.55 cac -
""",
    (1, "B", "click", "last_tiktok"): """
Spring: 4.0000 562.46 USD back 154.90 USD cost 1407.70 roas 0.3996 cpa 351.92 cac 1407.70
Shoes: 6.0000 952.43 USD back 166.47 USD cost 1157.97 roas 0.8225 cpa 193.00 cac -
Video: 2.0000 276.59 USD back 111.00 USD cost 1023.78 roas 0.2702 cpa 511.89 cac -
unknown: 1.0000 67.78 USD back 0.00 USD cost 0.00 roas - cpa - cac -
ads: 13.0000 1859.26 USD back 432.37 USD cost 3589.45 roas 0.5180 cpa 276.11 cac -
organic: 0.0000
without: 26.0000
all: 39.0000 5158.71 USD back 1495.20 USD cost 3589.45 roas 1.4372 cpa 92.04 cac -
""",
    (1, "B", "click", "linear"): """
Spring: 5.0000 699.66 USD back 194.39 USD cost 1407.70 roas 0.4970 cpa 281.54 cac 938.47
Shoes: 5.0000 815.23 USD back 126.98 USD cost 1157.97 roas 0.7040 cpa 231.59 cac -
Video: 2.0000 276.59 USD back 111.00 USD cost 1023.78 roas 0.2702 cpa 511.89 cac -
unknown: 1.0000 67.78 USD back 0.00 USD cost 0.00 roas - cpa - cac -
ads: 13.0000 1859.26 USD back 432.37 USD cost 3589.45 roas 0.5180 cpa 276.11 cac -
organic: 1.0000
without: 25.0000
all: 39.0000 5040.53 USD back 1495.20 USD cost 3589.45 roas 1.4043 cpa 92.04 cac -
""",
    (2, "A", "conversion", "last_tiktok"): """
Spring: 11.0000 1594.74 EUR back 206.20 EUR cost 1447.05 roas 1.1021 cpa 131.55 cac 361.76
Shoes: 14.0000 1391.85 EUR back 395.95 EUR cost 1387.03 roas 1.0035 cpa 99.07 cac 462.34
Video: 9.0000 994.97 EUR back 78.96 EUR cost 1532.91 roas 0.6491 cpa 170.32 cac 766.46
unknown: 13.0000 1500.29 EUR back 87.46 EUR cost 0.00 roas - cpa - cac -
ads: 47.0000 5481.85 EUR back 768.57 EUR cost 4366.99 roas 1.2553 cpa 92.91 cac 397.00
organic: 0.0000
without: 35.0000
all: 82.0000 10037.44 EUR+77.35 USD back 1668.96 EUR+0.00 USD cost 4366.99 roas - cpa 53.26 cac 207.95
""",
    (2, "A", "conversion", "linear"): """
Spring: 10.8333 1506.61 EUR back 213.66 EUR cost 1447.05 roas 1.0412 cpa 133.57 cac 434.12
Shoes: 12.0833 1110.83 EUR back 341.77 EUR cost 1387.03 roas 0.8009 cpa 114.79 cac 554.81
Video: 7.6667 782.71 EUR back 48.16 EUR cost 1532.91 roas 0.5106 cpa 199.94 cac 766.46
unknown: 12.6667 1654.67 EUR back 52.23 EUR cost 0.00 roas - cpa - cac -
ads: 43.2500 5054.82 EUR back 655.82 EUR cost 4366.99 roas 1.1575 cpa 100.97 cac 444.10
organic: 8.7500
without: 30.0000
all: 82.0000 10037.44 EUR+77.35 USD back 1668.96 EUR+0.00 USD cost 4366.99 roas - cpa 53.26 cac 207.95
""",
    (2, "A", "click", "last_tiktok"): """
Spring: 11.0000 1594.74 EUR back 206.20 EUR cost 1447.05 roas 1.1021 cpa 131.55 cac 361.76
Shoes: 11.0000 1146.54 EUR back 395.95 EUR cost 1387.03 roas 0.8266 cpa 126.09 cac 693.52
Video: 6.0000 651.63 EUR back 78.96 EUR cost 1532.91 roas 0.4251 cpa 255.48 cac -
unknown: 15.0000 1692.29 EUR back 87.46 EUR cost 0.00 roas - cpa - cac -
ads: 43.0000 5085.20 EUR back 768.57 EUR cost 4366.99 roas 1.1645 cpa 101.56 cac 545.87
organic: 0.0000
without: 35.0000
all: 78.0000 9640.79 EUR+77.35 USD back 1668.96 EUR+0.00 USD cost 4366.99 roas - cpa 55.99 cac 242.61
""",
    (2, "A", "click", "linear"): """
Spring: 11.3333 1654.73 EUR back 213.66 EUR cost 1447.05 roas 1.1435 cpa 127.68 cac 434.12
Shoes: 9.5833 886.14 EUR back 341.77 EUR cost 1387.03 roas 0.6389 cpa 144.73 cac 924.69
Video: 4.6667 439.37 EUR back 48.16 EUR cost 1532.91 roas 0.2866 cpa 328.48 cac -
unknown: 14.1667 1826.05 EUR back 52.23 EUR cost 0.00 roas - cpa - cac -
ads: 39.7500 4806.29 EUR back 655.82 EUR cost 4366.99 roas 1.1006 cpa 109.86 cac 639.07
organic: 6.0833
without: 30.0000
all: 75.8333 9505.65 EUR+77.35 USD back 1657.21 EUR+0.00 USD cost 4366.99 roas - cpa 57.59 cac 291.13
""",
    (2, "B", "conversion", "last_tiktok"): """
Spring: 2.0000 360.76 USD back 0.00 USD cost 1269.89 roas 0.2841 cpa 634.94 cac -
Shoes: 0.0000 0 back 0 cost 1511.00 roas 0.0000 cpa - cac -
Video: 1.0000 184.78 USD back 0.00 USD cost 1031.80 roas 0.1791 cpa 1031.80 cac -
unknown: 2.0000 68.74 USD back 49.59 USD cost 0.00 roas - cpa - cac -
ads: 5.0000 614.28 USD back 49.59 USD cost 3812.69 roas 0.1611 cpa 762.54 cac 3812.69
organic: 0.0000
without: 38.0000
all: 43.0000 5357.74 USD back 723.00 USD cost 3812.69 roas 1.4052 cpa 88.67 cac -
""",
    (2, "B", "conversion", "linear"): """
Spring: 2.0000 360.76 USD back 0.00 USD cost 1269.89 roas 0.2841 cpa 634.94 cac -
Shoes: 0.0000 0 back 0 cost 1511.00 roas 0.0000 cpa - cac -
Video: 1.0000 184.78 USD back 0.00 USD cost 1031.80 roas 0.1791 cpa 1031.80 cac -
unknown: 2.0000 68.74 USD back 49.59 USD cost 0.00 roas - cpa - cac -
ads: 5.0000 614.28 USD back 49.59 USD cost 3812.69 roas 0.1611 cpa 762.54 cac 3812.69
organic: 1.0000
without: 37.0000
all: 43.0000 5357.74 USD back 723.00 USD cost 3812.69 roas 1.4052 cpa 88.67 cac -
""",
    (2, "B", "click", "last_tiktok"): """
Spring: 2.0000 360.76 USD back 0.00 USD cost 1269.89 roas 0.2841 cpa 634.94 cac -
Shoes: 0.0000 0 back 0 cost 1511.00 roas 0.0000 cpa - cac -
Video: 1.0000 184.78 USD back 0.00 USD cost 1031.80 roas 0.1791 cpa 1031.80 cac -
unknown: 2.0000 68.74 USD back 49.59 USD cost 0.00 roas - cpa - cac -
ads: 5.0000 614.28 USD back 49.59 USD cost 3812.69 roas 0.1611 cpa 762.54 cac 3812.69
organic: 0.0000
without: 38.0000
all: 43.0000 5357.74 USD back 723.00 USD cost 3812.69 roas 1.4052 cpa 88.67 cac -
""",
    (2, "B", "click", "linear"): """
Spring: 2.0000 360.76 USD back 0.00 USD cost 1269.89 roas 0.2841 cpa 634.94 cac -
Shoes: 0.0000 0 back 0 cost 1511.00 roas 0.0000 cpa - cac -
Video: 1.0000 184.78 USD back 0.00 USD cost 1031.80 roas 0.1791 cpa 1031.80 cac -
unknown: 2.0000 68.74 USD back 49.59 USD cost 0.00 roas - cpa - cac -
ads: 5.0000 614.28 USD back 49.59 USD cost 3812.69 roas 0.1611 cpa 762.54 cac 3812.69
organic: 1.0000
without: 37.0000
all: 43.0000 5357.74 USD back 723.00 USD cost 3812.69 roas 1.4052 cpa 88.67 cac -
""",
    (3, "A", "conversion", "last_tiktok"): """
Spring: 12.0000 1381.68 EUR+41.55 USD back 399.80 EUR+0.00 USD cost 1210.65 roas - cpa 100.89 cac 403.55
Shoes: 9.0000 230.24 EUR+426.01 USD back 69.59 EUR+0.00 USD cost 1377.33 roas - cpa 153.04 cac 688.66
Video: 11.0000 1471.94 EUR+213.91 USD back 106.14 EUR+0.00 USD cost 1541.08 roas - cpa 140.10 cac 513.69
unknown: 8.0000 914.52 EUR back 633.16 EUR cost 0.00 roas - cpa - cac -
ads: 40.0000 3998.38 EUR+681.47 USD back 1208.69 EUR+0.00 USD cost 4129.06 roas - cpa 103.23 cac 458.78
organic: 0.0000
without: 50.0000
all: 90.0000 11226.29 EUR+944.04 USD back 2862.25 EUR+0.00 USD cost 4129.06 roas - cpa 45.88 cac 172.04
""",
    (3, "A", "conversion", "linear"): """
Spring: 11.5000 1293.18 EUR+41.55 USD back 399.80 EUR+0.00 USD cost 1210.65 roas - cpa 105.27 cac 403.55
Shoes: 7.6667 265.09 EUR+312.95 USD back 68.53 EUR+0.00 USD cost 1377.33 roas - cpa 179.65 cac 918.22
Video: 10.5000 1322.63 EUR+326.97 USD back 106.14 EUR+0.00 USD cost 1541.08 roas - cpa 146.77 cac 440.31
unknown: 8.0000 914.52 EUR back 633.16 EUR cost 0.00 roas - cpa - cac -
ads: 37.6667 3795.42 EUR+681.47 USD back 1207.63 EUR+0.00 USD cost 4129.06 roas - cpa 109.62 cac 458.78
organic: 11.3333
without: 41.0000
all: 90.0000 11226.29 EUR+944.04 USD back 2862.25 EUR+0.00 USD cost 4129.06 roas - cpa 45.88 cac 172.04
""",
    (3, "A", "click", "last_tiktok"): """
Spring: 12.0000 1247.20 EUR+41.55 USD back 399.80 EUR+0.00 USD cost 1210.65 roas - cpa 100.89 cac 605.32
Shoes: 9.0000 230.24 EUR+426.01 USD back 69.59 EUR+0.00 USD cost 1377.33 roas - cpa 153.04 cac 688.66
Video: 11.0000 1489.28 EUR+213.91 USD back 131.67 EUR+0.00 USD cost 1541.08 roas - cpa 140.10 cac 770.54
unknown: 7.0000 693.78 EUR back 633.16 EUR cost 0.00 roas - cpa - cac -
ads: 39.0000 3660.50 EUR+681.47 USD back 1234.22 EUR+0.00 USD cost 4129.06 roas - cpa 105.87 cac 688.18
organic: 0.0000
without: 50.0000
all: 89.0000 10888.41 EUR+944.04 USD back 2887.78 EUR+0.00 USD cost 4129.06 roas - cpa 46.39 cac 196.62
""",
    (3, "A", "click", "linear"): """
Spring: 11.5000 1158.70 EUR+41.55 USD back 399.80 EUR+0.00 USD cost 1210.65 roas - cpa 105.27 cac 605.32
Shoes: 7.6667 265.09 EUR+312.95 USD back 68.53 EUR+0.00 USD cost 1377.33 roas - cpa 179.65 cac 918.22
Video: 10.5000 1339.97 EUR+326.97 USD back 131.67 EUR+0.00 USD cost 1541.08 roas - cpa 146.77 cac 616.43
unknown: 7.0000 693.78 EUR back 633.16 EUR cost 0.00 roas - cpa - cac -
ads: 36.6667 3457.54 EUR+681.47 USD back 1233.16 EUR+0.00 USD cost 4129.06 roas - cpa 112.61 cac 688.18
organic: 10.3333
without: 41.0000
all: 88.0000 10595.67 EUR+944.04 USD back 2887.78 EUR+0.00 USD cost 4129.06 roas - cpa 46.92 cac 196.62
""",
    (3, "B", "conversion", "last_tiktok"): """
Spring: 2.0000 445.88 USD back 0.00 USD cost 1241.93 roas 0.3590 cpa 620.96 cac -
Shoes: 1.0000 105.46 USD back 0.00 USD cost 1184.42 roas 0.0890 cpa 1184.42 cac 1184.42
Video: 3.0000 313.16 USD back 10.45 USD cost 1282.64 roas 0.2442 cpa 427.55 cac 641.32
unknown: 0.0000 0 back 0 cost 0.00 roas - cpa - cac -
ads: 6.0000 864.50 USD back 10.45 USD cost 3708.99 roas 0.2331 cpa 618.16 cac -
organic: 0.0000
without: 26.0000
all: 32.0000 4359.70 USD back 1230.84 USD cost 3708.99 roas 1.1754 cpa 115.91 cac -
""",
    (3, "B", "conversion", "linear"): """
Spring: 2.5000 448.93 USD back 5.22 USD cost 1241.93 roas 0.3615 cpa 496.77 cac -
Shoes: 1.0000 105.46 USD back 0.00 USD cost 1184.42 roas 0.0890 cpa 1184.42 cac 1184.42
Video: 2.5000 310.11 USD back 5.23 USD cost 1282.64 roas 0.2418 cpa 513.06 cac 641.32
unknown: 0.0000 0 back 0 cost 0.00 roas - cpa - cac -
ads: 6.0000 864.50 USD back 10.45 USD cost 3708.99 roas 0.2331 cpa 618.16 cac -
organic: 4.0000
without: 22.0000
all: 32.0000 4359.70 USD back 1230.84 USD cost 3708.99 roas 1.1754 cpa 115.91 cac -
""",
    (3, "B", "click", "last_tiktok"): """
Spring: 2.0000 445.88 USD back 0.00 USD cost 1241.93 roas 0.3590 cpa 620.96 cac -
Shoes: 1.0000 105.46 USD back 0.00 USD cost 1184.42 roas 0.0890 cpa 1184.42 cac 1184.42
Video: 3.0000 313.16 USD back 10.45 USD cost 1282.64 roas 0.2442 cpa 427.55 cac 641.32
unknown: 0.0000 0 back 0 cost 0.00 roas - cpa - cac -
ads: 6.0000 864.50 USD back 10.45 USD cost 3708.99 roas 0.2331 cpa 618.16 cac -
organic: 0.0000
without: 26.0000
all: 32.0000 4359.70 USD back 1230.84 USD cost 3708.99 roas 1.1754 cpa 115.91 cac -
""",
    (3, "B", "click", "linear"): """
Spring: 2.5000 448.93 USD back 5.22 USD cost 1241.93 roas 0.3615 cpa 496.77 cac -
Shoes: 1.0000 105.46 USD back 0.00 USD cost 1184.42 roas 0.0890 cpa 1184.42 cac 1184.42
Video: 2.5000 310.11 USD back 5.23 USD cost 1282.64 roas 0.2418 cpa 513.06 cac 641.32
unknown: 0.0000 0 back 0 cost 0.00 roas - cpa - cac -
ads: 6.0000 864.50 USD back 10.45 USD cost 3708.99 roas 0.2331 cpa 618.16 cac -
organic: 4.0000
without: 22.0000
all: 32.0000 4359.70 USD back 1230.84 USD cost 3708.99 roas 1.1754 cpa 115.91 cac -
""",
}
"""By seed, shop, clock and model."""
