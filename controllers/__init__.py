from . import gateway, webhook
