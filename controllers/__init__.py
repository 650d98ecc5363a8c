from . import app_return, gateway, webhook
