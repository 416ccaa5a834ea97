from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('activities', '0003_series_split_from'),
    ]

    operations = [
        migrations.AddField(
            model_name='series',
            name='split_after',
            field=models.PositiveIntegerField(default=0),
        ),
    ]
