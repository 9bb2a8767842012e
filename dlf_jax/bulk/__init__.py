"""Large folders over many hosts, with Apache Beam."""
