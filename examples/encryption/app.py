"""The application: functions, HTTP API and clients all have the same data converter."""

from durability import Application
from examples.encryption.codec import KeyRing, encrypting_converter
from examples.encryption.payroll import Payroll, calculate, pay

app = Application(
    workflows=[Payroll],
    activities=[calculate, pay],
    data_converter=encrypting_converter(KeyRing.from_environment()),
)
