"""An order from stock to parcel: payments, a warehouse that answers days later, and everything undone on failure."""
