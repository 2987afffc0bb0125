from durability import Application
from examples.hello.greetings import Greeting, compose_greeting

app = Application(workflows=[Greeting], activities=[compose_greeting])
