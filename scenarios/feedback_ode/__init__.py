"""Do errors in linear networks vanish faster, the faster random feedback learns (Amit 2019, Figure 12)?"""
