"""What runs in functions."""

from durability import Application
from examples.digitisation.film import Digitisation, enter_in_catalogue

app = Application(workflows=[Digitisation], activities=[enter_in_catalogue])
